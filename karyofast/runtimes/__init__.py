"""What runs exported networks."""
