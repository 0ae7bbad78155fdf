"""Files as tables of texts, with nothing guessed: each record is accounted for. What the texts mean is for the mapping to say."""
