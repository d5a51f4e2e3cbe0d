// The bytes of uploads: files, small pieces in memory, hashing in a worker.
export { FileStage, restoreUpload } from './file-stage.ts';
export { inLargePieces, largePiece } from './large-pieces.ts';
export { UploadSweeps } from './upload-sweeps.ts';
