"""Addresses below /accounts/."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts import views
from accounts.sso import views as sso

app_name = "accounts"
urlpatterns = [
    path("login/", views.LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", views.ChangePasswordView.as_view(), name="password"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<int:token_id>/revoke/", views.revoke_token, name="token-revoke"),
    path("clients/", views.clients, name="clients"),
    path("clients/<int:client_pk>/delete/", views.delete_client, name="client-delete"),
    path("sso/", sso.start, name="sso"),
    path("sso/callback/", sso.callback, name="sso-callback"),
    path("sso/connect/", sso.connect, name="sso-connect"),
    path("sso/<int:identity_pk>/disconnect/", sso.disconnect, name="sso-disconnect"),
]
