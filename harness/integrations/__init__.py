"""Other people's systems, each in a module that is imported only where somebody asks for it."""
