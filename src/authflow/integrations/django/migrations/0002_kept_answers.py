"""Answers that are kept under idempotency keys."""

from __future__ import annotations

from django.db import migrations

from authflow.integrations.django.revisions import Revision


class Migration(migrations.Migration):
    """Revision 0002."""

    dependencies = (("authflow", "0001_first_tables"),)
    operations = (Revision("0002"),)
