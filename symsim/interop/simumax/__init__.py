"""Files of SimuMax: strategies, models, and the folders that its runs leave."""
