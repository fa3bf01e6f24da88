"""Names that dagster.yaml files of installations before this release use. Nothing else imports them."""
