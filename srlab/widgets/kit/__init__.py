"""What every lab is made of: traits, one worker, and a view in JavaScript."""
