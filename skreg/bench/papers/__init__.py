"""What papers claim, one file each."""
