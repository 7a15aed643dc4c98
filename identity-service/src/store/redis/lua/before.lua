-- Pre-images: what a resource was when it was last applied, while something newer is wanted. A head as JSON, a line feed, and
-- the record as it was; nothing where there was none.

local BEFORE = P .. 'before'

local function image_of(id)
  local kept = call('HGET', BEFORE, id)
  if not kept then return nil end
  local head, record = string.match(kept, '^([^\n]*)\n()')
  local image = cjson.decode(head)
  image.names = image.names or {}
  image.record = string.sub(kept, record)
  return image
end

-- `first` is the document version of the first change since; 0 when that is not known.
local function put_image(id, first, names, record)
  local head = string.format('{"first":%.0f', first)
  if #names > 0 then head = head .. ',"names":' .. cjson.encode(names) end
  call('HSET', BEFORE, id, head .. '}\n' .. record)
end

-- Keeps what a resource was before its first change since it was applied; nothing when that is kept already, or when it was
-- not applied.
local function keep_image(id, record, raw, names, first)
  if link_of(id).applied_document ~= record.document_version then return end
  if call('HEXISTS', BEFORE, id) == 0 then put_image(id, first, names, raw) end
end

local function free_names(kind, id, image)
  local reserved = P .. kind .. ':reserved'
  for _, name in ipairs(image.names) do
    if call('HGET', reserved, name) == id then call('HDEL', reserved, name) end
  end
end

-- Forgets a pre-image, gives its names free, and gives it.
local function forget_image(kind, id)
  local image = image_of(id)
  if not image then return nil end
  call('HDEL', BEFORE, id)
  free_names(kind, id, image)
  return image
end

-- Reserves those names of a pre-image that the resource no longer has, and takes back those that it has again.
local function reserve_names(kind, id)
  local image = image_of(id)
  if not image then return end
  for _, name in ipairs(image.names) do
    local owner = call('HGET', P .. kind .. ':names', name)
    if not owner then
      call('HSET', P .. kind .. ':reserved', name, id)
    elseif owner == id then
      call('HDEL', P .. kind .. ':reserved', name)
    end
  end
end

-- Notes what was applied: that is what a resource with newer changes was before them.
local function note_applied(kind, id, version, document_version, document, names)
  local image = forget_image(kind, id)
  local record = image and document and record_of(kind, id)
  if not record or record.document_version == document_version then return end
  record.version, record.document_version, record.document = version, document_version, document
  put_image(id, 0, names, raw_record(record))
  reserve_names(kind, id)
end
