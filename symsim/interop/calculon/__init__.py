"""Files of Calculon: models and executions."""
