"""What every command shares: how it starts, flags made of settings, how it ends."""
