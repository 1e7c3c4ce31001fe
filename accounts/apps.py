from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """What decides over access must not be remembered for longer than it is true."""
        from django.contrib.auth.models import User

        from accounts import remembered
        from accounts.models import Credential, OAuthClient

        remembered.watch(User, OAuthClient, Credential)
