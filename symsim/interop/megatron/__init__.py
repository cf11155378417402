"""Files of Megatron-LM, Megatron-Core and Megatron-Bridge."""
