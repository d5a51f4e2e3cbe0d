export { inLargePieces, largePiece } from './large-pieces.ts';
export { FileStage, restoreUpload } from './upload-files.ts';
export { UploadSweeps } from './upload-sweeps.ts';
