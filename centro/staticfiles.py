"""Static files with content hashes in their names once collected, under plain names before."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Names a file by its hash if the manifest knows it.

    Without a manifest (tests, development before `collectstatic`) and for a file that the manifest
    does not list, the plain name is used instead of raising, so a page never fails for a picture.
    """

    manifest_strict = False

    def stored_name(self, name: str) -> str:
        """Path of the file as served, relative to STATIC_URL."""
        key = self.hash_key(self.clean_name(name))
        known = self.hashed_files.get(key)
        return str(super().stored_name(name)) if known else name
