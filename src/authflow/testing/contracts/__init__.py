"""One suite per port, as pytest classes: subclass one, supply the one method it asks for, and every law is checked.

Put ``pytest.register_assert_rewrite("authflow.testing")`` into ``conftest.py`` and a failure shows what it compared.
"""
