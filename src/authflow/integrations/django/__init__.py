"""A Django app, ``"authflow.integrations.django"``: its migrations make our tables by ``manage.py migrate``.

``browser`` keeps what a browser is given, ``database`` shares Django's database and transaction; both are imported by
themselves.
"""
