// Files of users, robots and rules that change. For Node, Bun and Deno.
export * from './htpasswd-file.ts';
export * from './keys-file.ts';
export * from './robots-file.ts';
export * from './watched-file.ts';
