export declare const ARROWS: readonly { readonly from: string; readonly to: readonly string[] }[];
export declare function mayImport(from: string, to: string): boolean;
export declare function covers(pattern: string, file: string): boolean;
