"""Programs that try to break the package, and write down how often they did."""
