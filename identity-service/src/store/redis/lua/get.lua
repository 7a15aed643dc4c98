-- The records of some ids, nothing for those that do not exist. Takes what it needs without `base`: it is run the most.
--
-- Cost: O(1) for each id.

local kind = ARGV[1]
return call('HMGET', P .. kind, unpack(ARGV, 3))
