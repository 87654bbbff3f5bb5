"""What a provider calls whom it spoke of, beside the answer that waits."""

from __future__ import annotations

from django.db import migrations

from authflow.integrations.django.revisions import Revision


class Migration(migrations.Migration):
    """Revision 0005."""

    dependencies = (("authflow", "0004_single_sign_on"),)
    operations = (Revision("0005"),)
