-- Links: what ties a resource or tombstone to its Platform object, who owns an object, who intends a name.

local function link_of(id)
  local raw = call('HGET', LINKS, id)
  if not raw then return { backend = '', applied_version = 0, applied_document = 0, intents = {} } end
  local read, link = pcall(cjson.decode, raw)
  if not read then error('CORRUPT link') end
  link.intents = link.intents or {}
  return link
end

local function keep_link(id, link)
  local intents = link.intents
  -- An empty list would become an empty object.
  if #intents == 0 then link.intents = nil end
  call('HSET', LINKS, id, cjson.encode(link))
  link.intents = intents
end

local function disown(kind, id, platform_id)
  local owners = P .. kind .. ':owners'
  if platform_id and call('HGET', owners, platform_id) == id then call('HDEL', owners, platform_id) end
end

-- Forgets the intents that `stays` does not want, in the link and in the index; keeps the link.
local function keep_intents(kind, id, link, stays)
  local index, left = P .. kind .. ':intents', {}
  for _, intent in ipairs(link.intents) do
    if stays(intent) then
      left[#left + 1] = intent
    elseif call('HGET', index, intent.folded) == id then
      call('HDEL', index, intent.folded)
    end
  end
  link.intents = left
  keep_link(id, link)
end

local function none() return false end

-- Keeps which object a resource has; with that, its intents are over.
local function put_object(kind, id, link, platform_id, backend)
  if link.platform_id ~= platform_id then disown(kind, id, link.platform_id) end
  link.platform_id, link.backend = platform_id, backend
  call('HSET', P .. kind .. ':owners', platform_id, id)
  keep_intents(kind, id, link, none)
end

local function remove_link(kind, id)
  local link = link_of(id)
  disown(kind, id, link.platform_id)
  keep_intents(kind, id, link, none)
  call('HDEL', LINKS, id)
end

-- Notes an intent. A name is intended by one resource at a time: who records it has just found it free, so whatever
-- another meant to create under it is not there.
local function intend(kind, id, name, folded)
  local index, link = P .. kind .. ':intents', link_of(id)
  for _, known in ipairs(link.intents) do
    if known.name == name then return end
  end
  local other = call('HGET', index, folded)
  call('HSET', index, folded, id)
  if other and other ~= id then
    local left = link_of(other)
    keep_intents(kind, other, left, function(intent) return intent.folded ~= folded end)
  end
  link.intents[#link.intents + 1] = { name = name, folded = folded }
  keep_link(id, link)
end

-- Makes a tombstone's link another resource's, intents included. Everything is to be applied anew.
local function move_link(kind, old, new)
  local link = link_of(old)
  call('HDEL', LINKS, old)
  link.applied_version, link.applied_document = 0, 0
  if link.platform_id then call('HSET', P .. kind .. ':owners', link.platform_id, new) end
  for _, intent in ipairs(link.intents) do call('HSET', P .. kind .. ':intents', intent.folded, new) end
  keep_link(new, link)
end
