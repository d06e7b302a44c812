"""The store: engine, tables, migrations, and one small repository for each table. The only room with SQL."""
