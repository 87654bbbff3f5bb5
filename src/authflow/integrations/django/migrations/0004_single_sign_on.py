"""Providers, links, pipelines, and what single sign-on accepts once."""

from __future__ import annotations

from django.db import migrations

from authflow.integrations.django.revisions import Revision


class Migration(migrations.Migration):
    """Revision 0004."""

    dependencies = (("authflow", "0003_confirmations"),)
    operations = (Revision("0004"),)
