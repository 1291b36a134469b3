"""What the tasks on populations share."""
