"""The first tables."""

from __future__ import annotations

from django.db import migrations

from authflow.integrations.django.revisions import Revision


class Migration(migrations.Migration):
    """Revision 0001."""

    initial = True
    operations = (Revision("0001"),)
