"""Links that confirm an address."""

from __future__ import annotations

from django.db import migrations

from authflow.integrations.django.revisions import Revision


class Migration(migrations.Migration):
    """Revision 0003."""

    dependencies = (("authflow", "0002_kept_answers"),)
    operations = (Revision("0003"),)
