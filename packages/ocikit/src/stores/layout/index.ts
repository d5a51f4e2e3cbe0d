export * from './find-layout.ts';
export * from './open-layout.ts';
