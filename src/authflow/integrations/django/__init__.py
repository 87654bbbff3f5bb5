"""A Django app, ``"authflow.integrations.django"``: its migrations make our tables by ``manage.py migrate``."""
