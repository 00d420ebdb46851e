"""What a descent minimises: losses, penalties, and their sum."""
