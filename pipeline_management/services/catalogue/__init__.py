"""The catalogue of pipelines: uploads of versions, their documentation, who may run them, how they have fared."""
