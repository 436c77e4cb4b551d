// The nodes this server has, described as GET /object_info describes them (seen on ComfyUI 0.33.0).
// Two dialects, because the real server has two: `nodes.py` classes (legacy) and schema classes (v3), which spell combos differently.
// Left out: every node that needs a model, and the other 640 classes; a prompt that names one gets `missing_node_type`.

export type InputSpec = [type: string | string[], options?: Record<string, unknown>]

export type NodeSpec = {
  input: {
    required: Record<string, InputSpec>
    optional?: Record<string, InputSpec>
    hidden?: Record<string, string | string[]>
  }
  output: string[]
  output_node: boolean
  name: string
  [key: string]: unknown
}

type Shape = {
  name: string
  title: string
  category: string
  required: Record<string, InputSpec>
  hidden?: boolean
  output?: string[]
  outputNames?: string[]
  more?: Record<string, unknown>
}

const upscaleMethods = ['nearest-exact', 'bilinear', 'area', 'bicubic', 'lanczos']
const side = (standard: number, min: number): InputSpec => ['INT', { default: standard, min, max: 16384, step: 1 }]
const combo = (...options: string[]): InputSpec => ['COMBO', { multiselect: false, options }]
const fps: InputSpec = ['FLOAT', { default: 6.0, min: 0.01, max: 1000.0, step: 0.01 }]
const prefix: InputSpec = ['STRING', { default: 'ComfyUI', multiline: false }]
const basics = { essentials_category: 'Basics' }
const tools = { essentials_category: 'Image Tools' }

const shared = (shape: Shape, isOutput: boolean) => {
  const output = shape.output ?? ['IMAGE']
  return {
    input_order: {
      required: Object.keys(shape.required),
      ...(shape.hidden ? { hidden: ['prompt', 'extra_pnginfo'] } : {}),
    },
    is_input_list: false,
    output,
    output_is_list: output.map(() => false),
    output_name: shape.outputNames ?? output,
    name: shape.name,
    display_name: shape.title,
    description: '',
    category: shape.category,
    output_node: isOutput,
    has_intermediate_output: false,
  }
}

const legacy = (shape: Shape): NodeSpec => ({
  input: {
    required: shape.required,
    ...(shape.hidden ? { hidden: { prompt: 'PROMPT', extra_pnginfo: 'EXTRA_PNGINFO' } } : {}),
  },
  ...shared(shape, shape.hidden === true),
  python_module: 'nodes',
  search_aliases: [],
  ...shape.more,
})

const v3 = (shape: Shape): NodeSpec => ({
  input: {
    required: shape.required,
    ...(shape.hidden ? { hidden: { prompt: ['PROMPT'], extra_pnginfo: ['EXTRA_PNGINFO'] } } : {}),
  },
  ...shared(shape, shape.hidden === true),
  python_module: 'comfy_extras.nodes_images',
  output_tooltips: [null],
  output_matchtypes: null,
  deprecated: false,
  experimental: false,
  dev_only: false,
  api_node: false,
  price_badge: null,
  search_aliases: null,
  essentials_category: null,
  ...shape.more,
})

const savePrefixTip =
  'The prefix for the file to save. This may include formatting information such as %date:yyyy-MM-dd% or %Empty Latent Image.width% to include values from nodes.'
const postProcessing = { python_module: 'comfy_extras.nodes_post_processing' }

const list: NodeSpec[] = [
  legacy({
    name: 'EmptyImage',
    title: 'Empty Image',
    category: 'image',
    required: {
      width: side(512, 1),
      height: side(512, 1),
      batch_size: ['INT', { default: 1, min: 1, max: 4096 }],
      color: ['INT', { default: 0, min: 0, max: 0xffffff, step: 1, display: 'color' }],
    },
  }),
  legacy({
    name: 'LoadImage',
    title: 'Load Image',
    category: 'image',
    required: { image: [[], { image_upload: true }] },
    output: ['IMAGE', 'MASK'],
    more: {
      search_aliases: [
        'load image',
        'open image',
        'import image',
        'image input',
        'upload image',
        'read image',
        'image loader',
      ],
      ...basics,
    },
  }),
  legacy({
    name: 'ImageScale',
    title: 'Upscale Image',
    category: 'image/upscaling',
    required: {
      image: ['IMAGE'],
      upscale_method: [upscaleMethods],
      width: side(512, 0),
      height: side(512, 0),
      crop: [['disabled', 'center']],
    },
    more: {
      search_aliases: ['resize', 'resize image', 'scale image', 'image resize', 'zoom', 'zoom in', 'change size'],
      ...tools,
    },
  }),
  legacy({
    name: 'ImageScaleBy',
    title: 'Upscale Image By',
    category: 'image/upscaling',
    required: {
      image: ['IMAGE'],
      upscale_method: [upscaleMethods],
      scale_by: ['FLOAT', { default: 1.0, min: 0.01, max: 8.0, step: 0.01 }],
    },
    more: tools,
  }),
  legacy({
    name: 'ImageInvert',
    title: 'Invert Image Colors',
    category: 'image/color',
    required: { image: ['IMAGE'] },
    more: { search_aliases: ['reverse colors'], ...tools },
  }),
  v3({
    name: 'ImageBlend',
    title: 'Blend Images',
    category: 'image/filters',
    required: {
      image1: ['IMAGE', {}],
      image2: ['IMAGE', {}],
      blend_factor: ['FLOAT', { default: 0.5, min: 0.0, max: 1.0, step: 0.01 }],
      blend_mode: combo('normal', 'multiply', 'screen', 'overlay', 'soft_light', 'difference'),
    },
    more: { ...postProcessing, search_aliases: ['mix images'], ...tools },
  }),
  v3({
    name: 'ImageBlur',
    title: 'Blur Image',
    category: 'image/filters',
    required: {
      image: ['IMAGE', {}],
      blur_radius: ['INT', { default: 1, min: 1, max: 31, step: 1 }],
      sigma: ['FLOAT', { default: 1.0, min: 0.1, max: 10.0, step: 0.1 }],
    },
    more: postProcessing,
  }),
  v3({
    name: 'ImageCrop',
    title: 'Crop Image (DEPRECATED)',
    category: 'image/transform',
    required: {
      image: ['IMAGE', {}],
      width: side(512, 1),
      height: side(512, 1),
      x: side(0, 0),
      y: side(0, 0),
    },
    more: { deprecated: true, search_aliases: ['trim'], ...tools },
  }),
  legacy({
    name: 'ImageBatch',
    title: 'Batch Images (DEPRECATED)',
    category: 'image/batch',
    required: { image1: ['IMAGE'], image2: ['IMAGE'] },
    more: { deprecated: true, search_aliases: ['combine images', 'merge images', 'stack images'] },
  }),
  v3({
    name: 'RepeatImageBatch',
    title: 'Repeat Image Batch',
    category: 'image/batch',
    required: { image: ['IMAGE', {}], amount: ['INT', { default: 1, min: 1, max: 4096 }] },
  }),
  legacy({
    name: 'SaveImage',
    title: 'Save Image',
    category: 'image',
    required: {
      images: ['IMAGE', { tooltip: 'The images to save.' }],
      filename_prefix: ['STRING', { default: 'ComfyUI', tooltip: savePrefixTip }],
    },
    hidden: true,
    outputNames: ['images'],
    more: {
      description: 'Saves the input images to your ComfyUI output directory.',
      search_aliases: ['save', 'save image', 'export image', 'output image', 'write image', 'download'],
      ...basics,
    },
  }),
  legacy({
    name: 'PreviewImage',
    title: 'Preview Image',
    category: 'image',
    required: { images: ['IMAGE'] },
    hidden: true,
    outputNames: ['images'],
    more: {
      description: 'Preview the images without saving them to the ComfyUI output directory.',
      search_aliases: ['preview', 'preview image', 'show image', 'view image', 'display image', 'image viewer'],
      ...basics,
    },
  }),
  v3({
    name: 'SaveAnimatedWEBP',
    title: 'Save Animated WEBP',
    category: 'image',
    required: {
      images: ['IMAGE', {}],
      filename_prefix: prefix,
      fps,
      lossless: ['BOOLEAN', { default: true }],
      quality: ['INT', { default: 80, min: 0, max: 100 }],
      method: combo('default', 'fastest', 'slowest'),
    },
    hidden: true,
    outputNames: ['images'],
  }),
  v3({
    name: 'SaveAnimatedPNG',
    title: 'Save Animated PNG',
    category: 'image',
    required: {
      images: ['IMAGE', {}],
      filename_prefix: prefix,
      fps,
      compress_level: ['INT', { advanced: true, default: 4, min: 0, max: 9 }],
    },
    hidden: true,
    outputNames: ['images'],
  }),
]

const specs = new Map(list.map(spec => [spec.name, spec]))

export function nodeNames(): string[] {
  return [...specs.keys()]
}

/** The node's description, LoadImage with the images that lie in the input folder now; undefined: no such node here. */
export function nodeSpec(name: string, inputImages: () => string[]): NodeSpec | undefined {
  const spec = specs.get(name)
  if (spec?.name !== 'LoadImage') return spec
  return { ...spec, input: { required: { image: [inputImages(), { image_upload: true }] } } }
}
