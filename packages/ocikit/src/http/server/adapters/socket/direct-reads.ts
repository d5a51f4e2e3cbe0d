// Reading a connection into memory of our own, as Node does for sockets that were created with `onread`.
import type { OnReadOpts, Socket } from 'node:net';

/** Takes the bytes of a connection. */
export interface DirectReader {
  /** Gives memory for the next bytes; undefined: the bytes come as a copy. */
  room(): Uint8Array | undefined;
  /** Takes bytes, in the memory that was given or in memory of their own. */
  received(bytes: Buffer): void;
}

/**
 * Releases of Node in which this was tested. Node accepts `onread` for new sockets only. So this uses internal
 * properties of the socket, which another release may have changed.
 */
const testedReleases = new Set(['20', '22', '24']);

/** Memory for the reads of all connections without memory of their own. */
let shared: Uint8Array | undefined;

/**
 * Gives all bytes that the socket reads from now on to a reader, past Node's stream. By default, Node allocates memory
 * for each read. Over TLS that is one record of at most 16 KiB. The end of the connection, errors and `pause` work as
 * before. It cannot be undone.
 *
 * @returns false, and changes nothing, if this release of Node cannot do that or the socket has unread bytes
 */
export function readDirectly(socket: Socket, reader: DirectReader): boolean {
  names ??= findNames() ?? null;
  const handle: unknown = Reflect.get(socket, '_handle');
  if (names === null || socket.readableLength > 0 || !takesMemory(handle)) return false;
  if (Reflect.get(socket, names.memory) !== null) return false;
  const next = (): Uint8Array => reader.room() ?? (shared ??= new Uint8Array(64 * 1024));
  const first = next();
  Reflect.set(socket, names.memory, first);
  Reflect.set(socket, names.next, next);
  Reflect.set(socket, names.callback, (count: number, memory: Uint8Array) => {
    const bytes = Buffer.from(memory.buffer, memory.byteOffset, count);
    reader.received(memory === shared ? Buffer.from(bytes) : bytes);
    return true;
  });
  handle.useUserBuffer(first);
  return true;
}

/** The names of the properties in which a socket keeps its option `onread`. */
interface Names {
  /** The memory for the next read; null without `onread`. */
  readonly memory: symbol;
  /** The function that gives memory; null if the same memory is used for each read. */
  readonly next: symbol;
  /** The function that takes bytes. */
  readonly callback: symbol;
}

let names: Names | null | undefined;

/** Finds the names by what two sockets keep in them. */
function findNames(): Names | undefined {
  if (!testedReleases.has(process.versions.node.split('.')[0] ?? '')) return undefined;
  const first = new Uint8Array(1);
  const next = (): Uint8Array => first;
  const take = (): boolean => true;
  // This module is loaded in other runtimes too, so it imports nothing of Node.
  const { Socket: NodeSocket } = process.getBuiltinModule('node:net');
  /** The types of Node know the option for clients only. */
  const socketWith = (onread: OnReadOpts): Socket => new NodeSocket({ onread } as object);
  const one = socketWith({ buffer: first, callback: take });
  const several = socketWith({ buffer: next, callback: take });
  const [memory, callback, given] = [nameOf(one, first), nameOf(one, take), nameOf(several, next)];
  if (memory === undefined || callback === undefined || given === undefined) return undefined;
  return { memory, next: given, callback };
}

function nameOf(socket: Socket, value: unknown): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find((name) => Reflect.get(socket, name) === value);
}

function takesMemory(handle: unknown): handle is { useUserBuffer(memory: Uint8Array): void } {
  return typeof handle === 'object' && handle !== null && typeof Reflect.get(handle, 'useUserBuffer') === 'function';
}
