"""which account a profile's sales are of, and sessions that were ended"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# A connection without a token, or with a user's id, only says who somebody is there as a buyer.
_KNOWN = """
INSERT INTO platform_accounts (provider, profile_id, account_id, since, clears)
SELECT provider, profile_id, external_account_id, created_at, {no}
FROM platform_connections
WHERE access_token IS NOT NULL AND external_account_id IS NOT NULL
"""


def upgrade() -> None:
    op.create_table(
        "platform_accounts",
        sa.Column("provider", sa.Text(), nullable=False, comment="gumroad or whop"),
        sa.Column("profile_id", sa.Text(), nullable=False, comment="Owner"),
        sa.Column(
            "account_id",
            sa.Text(),
            nullable=False,
            comment="The platform's id of the account whose sales this profile's are",
        ),
        sa.Column("account_name", sa.Text(), nullable=True, comment="What the platform calls the account"),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the profile was first read with it",
        ),
        sa.Column(
            "clears",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="What was read of an account before goes before this one is read",
        ),
        sa.PrimaryKeyConstraint("provider", "profile_id", name=op.f("pk_platform_accounts")),
        comment="Which account a profile's sales are of. It outlives the connection.",
    )
    op.execute(_KNOWN.format(no="false" if op.get_bind().dialect.name == "postgresql" else "0"))
    op.add_column(
        "profiles",
        sa.Column(
            "signed_out_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Sessions of the page that began before this are over",
        ),
    )


def downgrade() -> None:
    op.drop_column("profiles", "signed_out_at")
    op.drop_table("platform_accounts")
