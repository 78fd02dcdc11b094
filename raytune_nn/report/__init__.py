"""What people see of a study; reads the store only."""
