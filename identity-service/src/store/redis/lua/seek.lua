-- Which resources are looked up: those of some ids, under a key or from a place in the list on. Comes before what `look_up`
-- else needs, since most look-ups find nobody: then that is not even defined.

local kind, groups, how = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local ids, more = {}, 0
if how == 'ids' then
  ids = { unpack(ARGV, 4) }
elseif how == 'name' then
  ids[1] = call('HGET', P .. kind .. ':names', ARGV[4]) or nil
else
  local from, limit = ARGV[4], tonumber(ARGV[5])
  if how == 'key' then
    local to = '(' .. string.sub(from, 1, -2) .. '\1'
    for i, found in ipairs(call('ZRANGEBYLEX', P .. kind .. ':keys', '[' .. from, to, 'LIMIT', 0, limit)) do
      ids[i] = string.sub(found, #from + 1)
    end
  elseif how == 'after' then
    ids = call('ZRANGEBYLEX', P .. kind .. ':ids', '(' .. from, '+', 'LIMIT', 0, limit)
  else
    ids = call('ZRANGE', P .. kind .. ':ids', from, from + limit - 1)
  end
  if #ids == limit then more = 1 end
end
if #ids == 0 then return { more } end
