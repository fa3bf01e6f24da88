"""What every room needs and what knows neither Dagster nor a platform."""
