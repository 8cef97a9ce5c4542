"""MLflow's own server and permissions behind the platform's login."""
