// The SFTP server of a simulated pod: version 3 with the extensions that OpenSSH's clients use.
//
// Our own and not ssh2's server half, for two reasons: that one cannot announce extensions (posix-rename, limits), and it
// buffers replies without end. Requests are answered one after the other, each reply waits for window, so a slow reader
// costs one packet of memory. Links are neither made nor read: a pod's folder must not lead out of itself.
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { chmod, lstat, mkdir, open, readdir, rename, rmdir, stat, truncate, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerChannel } from 'ssh2'
import type { Gate } from './gate.ts'
import { openGate } from './gate.ts'
import type { PodPaths } from './paths.ts'
import { listingLine, setAttributes } from './sftp-attributes.ts'
import {
  attributes,
  DATA_MAX_BYTES,
  type Fields,
  fields,
  PACKET_MAX_BYTES,
  packet,
  packets,
  STATUS,
  TYPE,
  text,
  uint32,
  uint64,
} from './sftp-packet.ts'

type Folder = { path: string; names: string[] }
type Handle = { file: FileHandle } | { folder: Folder }
type Reply = Buffer

/** OpenSSH's sftp-server allows about 1019 (its file descriptors less a few); its clients use one or two. */
const HANDLES_MAX = 1000
const NAMES_MAX = 100
const EXTENSIONS = ['posix-rename@openssh.com', 'fsync@openssh.com', 'limits@openssh.com']

/** Serves until the client ends the channel or `gone` is called. */
export function serveSftp(channel: ServerChannel, paths: PodPaths): { gone(): void } {
  const gate = openGate(channel)
  channel.on('error', () => {})
  answerAll(channel, paths, gate).catch(() => channel.end())
  return { gone: () => gate.shut() }
}

async function answerAll(channel: ServerChannel, paths: PodPaths, gate: Gate): Promise<void> {
  const handles = new Map<string, Handle>()
  try {
    // Without this the loop's end destroys the channel, and the exit status never goes out (scp would call that a failure).
    const requests = packets(channel.iterator({ destroyOnReturn: false }))
    for await (const one of requests) await gate.send(await answer(one, paths, handles))
  } finally {
    for (const handle of handles.values()) if ('file' in handle) await handle.file.close().catch(() => {})
  }
  channel.exit(0)
  channel.end()
}

async function answer(request: Buffer, paths: PodPaths, handles: Map<string, Handle>): Promise<Reply> {
  const given = fields(request)
  const type = given.byte()
  if (type === TYPE.INIT) return packet(TYPE.VERSION, uint32(3), ...EXTENSIONS.flatMap(name => [text(name), text('1')]))
  const id = given.uint32()
  try {
    const [kind, ...parts] = await perform(type, given, paths, handles)
    return packet(kind, uint32(id), ...parts)
  } catch (error) {
    const [status, message] = statusOf(error as NodeJS.ErrnoException)
    return packet(TYPE.STATUS, uint32(id), uint32(status), text(message), text(''))
  }
}

type Answer = [number, ...Buffer[]]
const OK: Answer = [TYPE.STATUS, uint32(STATUS.OK), text('Success'), text('')]

async function perform(type: number, given: Fields, paths: PodPaths, handles: Map<string, Handle>): Promise<Answer> {
  switch (type) {
    case TYPE.OPEN:
      return keep(handles, { file: await openFile(paths, given.text(), given.uint32(), given.attributes().mode) })
    case TYPE.OPENDIR: {
      const path = await paths.follow(given.text())
      return keep(handles, { folder: { path, names: ['.', '..', ...(await readdir(path))] } })
    }
    case TYPE.CLOSE: {
      const name = given.text()
      const handle = find(handles, name)
      handles.delete(name)
      if ('file' in handle) await handle.file.close()
      return OK
    }
    case TYPE.READ:
      return read(fileOf(handles, given), given.uint64(), given.uint32())
    case TYPE.WRITE:
      await writeAll(fileOf(handles, given), given.uint64(), given.bytes())
      return OK
    case TYPE.READDIR:
      return list(find(handles, given.text()), paths)
    case TYPE.STAT:
      return [TYPE.ATTRS, attributes(await stat(await paths.follow(given.text())))]
    case TYPE.LSTAT:
      return [TYPE.ATTRS, attributes(await lstat(await paths.entry(given.text())))]
    case TYPE.FSTAT:
      return [TYPE.ATTRS, attributes(await fileOf(handles, given).stat())]
    case TYPE.SETSTAT: {
      const path = await paths.follow(given.text())
      await setAttributes(
        {
          truncate: size => truncate(path, size),
          chmod: mode => chmod(path, mode),
          utimes: (atime, mtime) => utimes(path, atime, mtime),
        },
        given.attributes(),
      )
      return OK
    }
    case TYPE.FSETSTAT:
      await setAttributes(fileOf(handles, given), given.attributes())
      return OK
    case TYPE.MKDIR:
      await mkdir(await paths.entry(given.text()), (given.attributes().mode ?? 0o777) & 0o777)
      return OK
    case TYPE.RMDIR:
      await rmdir(await paths.entry(given.text()))
      return OK
    case TYPE.REMOVE:
      await unlink(await paths.entry(given.text()))
      return OK
    case TYPE.RENAME: {
      const [from, to] = [await paths.entry(given.text()), await paths.entry(given.text())]
      if (await exists(to)) throw fault('EEXIST', 'Failure')
      await rename(from, to)
      return OK
    }
    case TYPE.REALPATH: {
      const path = paths.absolute(given.text())
      return [TYPE.NAME, uint32(1), text(path), text(path), uint32(0)]
    }
    case TYPE.EXTENDED:
      return extended(given.text(), given, paths, handles)
    default:
      throw fault('ENOSYS', 'Operation unsupported')
  }
}

async function extended(name: string, given: Fields, paths: PodPaths, handles: Map<string, Handle>): Promise<Answer> {
  if (name === 'posix-rename@openssh.com') {
    await rename(await paths.entry(given.text()), await paths.entry(given.text()))
    return OK
  }
  if (name === 'fsync@openssh.com') {
    await fileOf(handles, given).sync()
    return OK
  }
  if (name === 'limits@openssh.com') {
    const limits = [PACKET_MAX_BYTES, DATA_MAX_BYTES, DATA_MAX_BYTES, HANDLES_MAX]
    return [TYPE.EXTENDED_REPLY, ...limits.map(uint64)]
  }
  throw fault('ENOSYS', 'Operation unsupported')
}

async function openFile(paths: PodPaths, path: string, wanted: number, mode = 0o666): Promise<FileHandle> {
  const [READ, WRITE, APPEND, CREAT, TRUNC, EXCL] = [1, 2, 4, 8, 16, 32]
  const reads = (wanted & READ!) !== 0
  const writes = (wanted & (WRITE! | APPEND!)) !== 0
  let flags = writes ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY
  if (wanted & APPEND!) flags |= constants.O_APPEND
  if (wanted & CREAT!) flags |= constants.O_CREAT
  if (wanted & TRUNC!) flags |= constants.O_TRUNC
  if (wanted & EXCL!) flags |= constants.O_EXCL
  const missing = (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && wanted & CREAT!) return paths.entry(path)
    throw error
  }
  const at = wanted & EXCL! ? await paths.entry(path) : await paths.follow(path).catch(missing)
  // The path is free of links by now; one that appears since, or dangles, must not be written through. O_NONBLOCK: a FIFO
  // in the folder would block the open for ever.
  const file = await open(at, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, mode & 0o777)
  if ((await file.stat()).isDirectory()) {
    await file.close()
    throw fault('EISDIR', 'Failure')
  }
  return file
}

async function read(file: FileHandle, offset: number, length: number): Promise<Answer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(length, DATA_MAX_BYTES)), {
    position: offset,
  })
  if (bytesRead === 0) throw fault('EOF', 'End of file')
  return [TYPE.DATA, text(buffer.subarray(0, bytesRead))]
}

async function writeAll(file: FileHandle, offset: number, data: Buffer): Promise<void> {
  for (let done = 0; done < data.length; ) {
    done += (await file.write(data, done, data.length - done, offset + done)).bytesWritten
  }
}

async function list(handle: Handle, paths: PodPaths): Promise<Answer> {
  if (!('folder' in handle)) throw fault('EBADF', 'No such file')
  const { path, names } = handle.folder
  if (names.length === 0) throw fault('EOF', 'End of file')
  const entries: Buffer[] = []
  for (const name of names.splice(0, NAMES_MAX)) {
    // `..` of the pod's own folder is the folder itself: nothing outside is told, not even its date.
    const at = name === '..' && path === paths.root ? path : join(path, name)
    const stats = await lstat(at).catch(() => null)
    if (stats !== null) entries.push(text(name), text(listingLine(name, stats)), attributes(stats))
  }
  return [TYPE.NAME, uint32(entries.length / 3), ...entries]
}

function keep(handles: Map<string, Handle>, handle: Handle): Answer {
  if (handles.size >= HANDLES_MAX) {
    if ('file' in handle) handle.file.close().catch(() => {})
    throw fault('EMFILE', 'Failure')
  }
  let number = handles.size
  while (handles.has(String(number))) number++
  handles.set(String(number), handle)
  return [TYPE.HANDLE, text(String(number))]
}

function find(handles: Map<string, Handle>, name: string): Handle {
  const handle = handles.get(name)
  if (handle === undefined) throw fault('EBADF', 'No such file')
  return handle
}

function fileOf(handles: Map<string, Handle>, given: Fields): FileHandle {
  const handle = find(handles, given.text())
  if (!('file' in handle)) throw fault('EBADF', 'No such file')
  return handle.file
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

/** Which error is which status: OpenSSH's sftp-server.c, errno_to_portable (9.2). */
function statusOf(error: NodeJS.ErrnoException): [number, string] {
  if (error instanceof RangeError) return [STATUS.BAD_MESSAGE, 'Bad message']
  switch (error.code) {
    case 'EOF':
      return [STATUS.EOF, 'End of file']
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EBADF':
    case 'ELOOP':
      return [STATUS.NO_SUCH_FILE, 'No such file']
    case 'EPERM':
    case 'EACCES':
      return [STATUS.DENIED, 'Permission denied']
    case 'ENAMETOOLONG':
    case 'EINVAL':
      return [STATUS.BAD_MESSAGE, 'Bad message']
    case 'ENOSYS':
      return [STATUS.UNSUPPORTED, 'Operation unsupported']
    default:
      return [STATUS.FAILURE, 'Failure']
  }
}
