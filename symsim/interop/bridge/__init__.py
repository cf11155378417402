"""Configurations of Megatron-Bridge that are written; they are read with Megatron's files."""
