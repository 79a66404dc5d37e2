"""Parts of the pages: data of the database as a template shows it."""
