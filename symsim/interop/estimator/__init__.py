"""Requests of the Megatron Memory Estimator."""
