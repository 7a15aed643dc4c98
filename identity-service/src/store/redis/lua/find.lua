-- The ids under a unique name, or under a key of the other indexes. Takes what it needs without `base`: it is run the most.
--
-- Cost: O(log n) and the number of ids.

local kind, is_name, key, limit = ARGV[1], ARGV[2] ~= '', ARGV[3], ARGV[4]
if is_name then return { call('HGET', P .. kind .. ':names', key) or nil } end
local ids = {}
local to = '(' .. string.sub(key, 1, -2) .. '\1'
for i, found in ipairs(call('ZRANGEBYLEX', P .. kind .. ':keys', '[' .. key, to, 'LIMIT', 0, limit)) do
  ids[i] = string.sub(found, #key + 1)
end
return ids
