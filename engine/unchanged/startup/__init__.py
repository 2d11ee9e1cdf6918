"""First on the PYTHONPATH of what `trainconsole run` starts; it holds the sitecustomize of that process."""
