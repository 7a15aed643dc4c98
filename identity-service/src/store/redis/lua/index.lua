-- The indexes: names, which are unique, and the other look-ups.

local function add_keys(kind, id, names, keys)
  for _, name in ipairs(names) do call('HSET', P .. kind .. ':names', name, id) end
  for _, key in ipairs(keys) do call('ZADD', P .. kind .. ':keys', 0, key .. id) end
end

local function remove_keys(kind, id, names, keys)
  for _, name in ipairs(names) do call('HDEL', P .. kind .. ':names', name) end
  for _, key in ipairs(keys) do call('ZREM', P .. kind .. ':keys', key .. id) end
end

-- Nothing when a resource may have these names; else the refusal. One that another gives up by a change that is not applied
-- yet is reserved for it.
local function names_refused(kind, id, names)
  for _, name in ipairs(names) do
    if call('HEXISTS', P .. kind .. ':names', name) == 1 then return { 'name_taken' } end
    local owner = call('HGET', P .. kind .. ':reserved', name)
    if owner and owner ~= id then return { 'reserved', owner } end
  end
end
