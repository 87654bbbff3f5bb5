"""SAML 2: the kind, and the settings that its presets begin with; the extra ``saml``."""

from authflow.adapters.providers.saml.kind import Saml2, saml_kinds

__all__ = ["Saml2", "saml_kinds"]
