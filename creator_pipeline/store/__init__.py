"""The warehouse: tables, engine, migrations, and the one way rows get in."""
