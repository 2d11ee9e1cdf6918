"""The subcommands: of live runs, of recorded ones, of scripts, of mirrors."""
