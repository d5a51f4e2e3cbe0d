// Registries in directories, as OCI image layouts.
export * from './find-layout.ts';
export * from './open-layout.ts';
