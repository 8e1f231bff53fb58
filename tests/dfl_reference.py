"""DeepFaceLab's networks once more, from the specification's layer maths (dfl-spec 6.4, 7.1, 7.2, 7.5) alone.

NumPy, float64, images [H, W, C] BGR, weights by the original keys in the original order of axes: it shares nothing with
the networks of the product.
"""

import numpy as np


def conv(w, key, x, stride=1):
    """SAME of dfl-spec 7.1: zeros of (k - 1 + 1) // 2 on all sides, then VALID."""
    kernel, bias = w[f"{key}/weight:0"].astype(np.float64), w[f"{key}/bias:0"].astype(np.float64)
    k = kernel.shape[0]
    p = {1: 0, 3: 1, 5: 2}[k]
    x = np.pad(x, ((p, p), (p, p), (0, 0)))
    h, v = (x.shape[0] - k) // stride + 1, (x.shape[1] - k) // stride + 1
    out = np.zeros((h, v, kernel.shape[3]))
    for dy in range(k):
        for dx in range(k):
            out += x[dy : dy + stride * h : stride, dx : dx + stride * v : stride][:h, :v] @ kernel[dy, dx]
    return out + bias


def conv_transpose(w, key, x):
    """Kernel 3, stride 2, SAME: the full scatter result without its last row and column."""
    kernel, bias = w[f"{key}/weight:0"].astype(np.float64), w[f"{key}/bias:0"].astype(np.float64)
    h, v, _ = x.shape
    out = np.zeros((2 * h + 1, 2 * v + 1, kernel.shape[2]))
    for dy in range(3):
        for dx in range(3):
            out[dy : dy + 2 * h : 2, dx : dx + 2 * v : 2] += x @ kernel[dy, dx].T
    return out[:-1, :-1] + bias


def dense(w, key, x):
    return x @ w[f"{key}/weight:0"].astype(np.float64) + w[f"{key}/bias:0"]


def act(x, slope, letters):
    return x * np.cos(x) if "c" in letters else np.where(x > 0, x, slope * x)


def shuffle(x):
    """depth_to_space 2: input channel (dy 2 + dx) C + c."""
    h, v, c = x.shape
    out = np.empty((2 * h, 2 * v, c // 4))
    for dy in range(2):
        for dx in range(2):
            first = (2 * dy + dx) * (c // 4)
            out[dy::2, dx::2] = x[..., first : first + c // 4]
    return out


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def residual(w, key, x, letters):
    y = act(conv(w, f"{key}/conv1", x), 0.2, letters)
    return act(x + conv(w, f"{key}/conv2", y), 0.2, letters)


def encoder(w, x, letters):
    """-> flattened in C, H, W order."""

    def down(key, x):
        return act(conv(w, f"{key}/conv1", x, stride=2), 0.1, letters)

    if "t" in letters:
        x = residual(w, "res1", down("down1", x), letters)
        for i in (2, 3, 4, 5):
            x = down(f"down{i}", x)
        x = residual(w, "res5", x, letters)
    else:
        for i in range(4):
            x = down(f"down1/downs_{i}", x)
    x = x.transpose(2, 0, 1).ravel()
    return x / np.sqrt(np.mean(x**2) + 1e-6) if "u" in letters else x


def as_map(x, side):
    return x.reshape(-1, side, side).transpose(1, 2, 0)


def upscale(w, key, x, letters):
    return shuffle(act(conv(w, f"{key}/conv1", x), 0.1, letters))


def inter(w, x, letters, resolution):
    side = resolution // (32 if "d" in letters else 16)
    x = as_map(dense(w, "dense2", dense(w, "dense1", x)), side)
    return x if "t" in letters else upscale(w, "upscale1", x, letters)


def decoder(w, code, letters):
    """-> image [R, R, 3] BGR, mask [R, R]"""
    stages = 4 if "t" in letters else 3
    x = code
    for i in range(stages):
        x = residual(w, f"res{i}", upscale(w, f"upscale{i}", x, letters), letters)
    if "d" in letters:
        x = shuffle(np.concatenate([conv(w, f"out_conv{n}", x) for n in ("", "1", "2", "3")], axis=-1))
    else:
        x = conv(w, "out_conv", x)
    m = code
    for i in range(stages + ("d" in letters)):
        m = upscale(w, f"upscalem{i}", m, letters)
    return sigmoid(x), sigmoid(conv(w, "out_convm", m))[..., 0]


def swap(files, archi, image, morph=1.0, resolution=64):
    """What DeepFaceLab's merger gets: the face, its mask, dst's mask. [R, R, 3] BGR -> image, mask, mask"""
    letters = archi.partition("-")[2]
    if archi == "amp":
        code = dense(files["encoder"], "dense1", encoder(files["encoder"], image, "udt"))
        src, dst = (as_map(dense(files[f"inter_{who}"], "dense2", code), resolution // 32) for who in ("src", "dst"))
        count = int(src.shape[-1] * morph)
        face, mask = decoder(files["decoder"], np.concatenate([src[..., :count], dst[..., count:]], axis=-1), "udt")
        return face, mask, decoder(files["decoder"], dst, "udt")[1]
    features = encoder(files["encoder"], image, letters)
    if archi.startswith("df"):
        code = inter(files["inter"], features, letters, resolution)
        return *decoder(files["decoder_src"], code, letters), decoder(files["decoder_dst"], code, letters)[1]
    ab, b = (inter(files[f"inter_{which}"], features, letters, resolution) for which in ("AB", "B"))
    face, mask = decoder(files["decoder"], np.concatenate([ab, ab], axis=-1), letters)
    return face, mask, decoder(files["decoder"], np.concatenate([b, ab], axis=-1), letters)[1]


def blur_pool(x, size):
    taps, before, after = {2: ([1, 1], 0, 1), 3: ([1, 2, 1], 1, 1), 4: ([1, 3, 3, 1], 1, 2)}[size]
    kernel = np.outer(taps, taps) / np.sum(taps) ** 2
    side = x.shape[0]
    x = np.pad(x, ((before, after), (before, after), (0, 0)))
    out = np.zeros((side // 2, side // 2, x.shape[2]))
    for dy in range(size):
        for dx in range(size):
            out += kernel[dy, dx] * x[dy : dy + side : 2, dx : dx + side : 2]
    return out


def xseg(w, image):
    """-> mask [256, 256]"""

    def end(key, x):
        power = np.mean(x**2, axis=(0, 1)) + np.abs(w[f"{key}/frn/eps:0"].astype(np.float64))
        x = x / np.sqrt(power) * w[f"{key}/frn/weight:0"] + w[f"{key}/frn/bias:0"]
        return np.maximum(x, w[f"{key}/tlu/tau:0"])

    x, skips = image, []
    for names, size in (
        ("01 02", 4),
        ("11 12", 3),
        ("21 22", 2),
        ("31 32 33", 2),
        ("41 42 43", 2),
        ("51 52 53", 2),
    ):
        for name in names.split():
            x = end(f"conv{name}", conv(w, f"conv{name}/conv", x))
        skips.append(x)
        x = blur_pool(x, size)
    x = as_map(dense(w, "dense2", dense(w, "dense1", x.transpose(2, 0, 1).ravel())), 4)
    for i, names in ((5, "53 52 51"), (4, "43 42 41"), (3, "33 32 31"), (2, "22 21"), (1, "12 11"), (0, "02 01")):
        x = np.concatenate([end(f"up{i}", conv_transpose(w, f"up{i}/conv", x)), skips[i]], axis=-1)
        for name in names.split():
            x = end(f"uconv{name}", conv(w, f"uconv{name}/conv", x))
    return sigmoid(conv(w, "out_conv", x))[..., 0]
