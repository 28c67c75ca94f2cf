"""What the catalog says: tables, columns, types, definitions, where what lies."""
